//! Redis's glob patterns, compiled once and matched without recursion.
//!
//! **Grammar.** `*` any run of bytes, `?` any byte, `[a-z]` a class (`[^..]` its complement), `\x`
//! the byte `x`; any other byte means itself. Every byte string is a pattern: a class that is never
//! closed ends with the pattern, a range may be written backwards, a `\` at the very end means
//! itself. One rule surprises: the empty text is matched by the empty pattern only, so `*` does not
//! match it (`KEYS *` lists the empty key because `KEYS` does not ask the matcher about a lone `*`;
//! see [`Glob::is_star`]).
//!
//! **Invariant.** A compiled pattern is a literal prefix followed by steps. Each step but
//! [`Step::Star`] consumes exactly one byte, no two stars are adjacent, and the first step is never
//! a literal (it would be in the prefix).
//!
//! **Complexity.** Compiling is O(pattern). Matching is O(pattern × text) at worst and O(text) for
//! the usual shapes: when a step fails only the last star is worth retrying, since an earlier star
//! could give it nothing that it cannot reach by itself. A class costs one bit test however long it
//! was written.
//!
//! **Threads.** Immutable once built.

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Glob {
    prefix: Box<[u8]>,
    steps: Box<[Step]>,
    classes: Box<[Class]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Byte(u8),
    AnyByte,
    /// One byte of the class at this index.
    Class(usize),
    Star,
}

impl Glob {
    /// Compiles any byte string. Memory is proportional to the pattern.
    pub(crate) fn new(pattern: &[u8]) -> Self {
        let mut compiler = Compiler { rest: pattern, steps: Vec::new(), classes: Vec::new() };
        let mut prefix = Vec::new();
        while let Some(step) = compiler.next_step() {
            match (step, compiler.steps.last()) {
                (Step::Byte(byte), None) => prefix.push(byte),
                (Step::Star, Some(Step::Star)) => {}
                _ => compiler.steps.push(step),
            }
        }
        Self {
            prefix: prefix.into(),
            steps: compiler.steps.into(),
            classes: compiler.classes.into(),
        }
    }

    /// Whether the pattern matches the whole of `text`.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        if text.is_empty() {
            return self.prefix.is_empty() && self.steps.is_empty();
        }
        match (text.strip_prefix(&*self.prefix), &*self.steps) {
            (None, _) => false,
            (Some(rest), []) => rest.is_empty(),
            (Some(_), [Step::Star]) => true,
            (Some(rest), _) => self.matches_steps(rest),
        }
    }

    /// Whether the pattern is stars alone, which match every text but the empty one.
    pub(crate) fn is_star(&self) -> bool {
        self.prefix.is_empty() && *self.steps == [Step::Star]
    }

    fn matches_steps(&self, text: &[u8]) -> bool {
        let (mut step, mut at) = (0, 0);
        // Where to resume when a step fails: the step after the last star, and the first byte that
        // star leaves to it.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match self.steps.get(step) {
                Some(Step::Star) => {
                    step += 1;
                    let Some(next) = self.candidate(step, text, at) else { return false };
                    (retry, at) = (Some((step, next)), next);
                    continue;
                }
                Some(&one) if at < text.len() && self.accepts(one, text[at]) => {
                    (step, at) = (step + 1, at + 1);
                    continue;
                }
                None if at == text.len() => return true,
                _ => {}
            }
            let Some((after_star, start)) = retry else { return false };
            if start >= text.len() {
                return false;
            }
            let Some(next) = self.candidate(after_star, text, start + 1) else { return false };
            (retry, step, at) = (Some((after_star, next)), after_star, next);
        }
    }

    /// The first position from `from` on at which the step after a star can begin.
    fn candidate(&self, step: usize, text: &[u8], from: usize) -> Option<usize> {
        match self.steps.get(step) {
            // A final star takes all that is left.
            None => Some(text.len()),
            Some(&Step::Byte(byte)) => {
                memchr::memchr(byte, &text[from..]).map(|offset| from + offset)
            }
            Some(_) => Some(from),
        }
    }

    fn accepts(&self, step: Step, byte: u8) -> bool {
        match step {
            Step::Byte(expected) => byte == expected,
            Step::AnyByte => true,
            Step::Class(index) => self.classes[index].contains(byte),
            Step::Star => unreachable!("a star is not a one-byte step"),
        }
    }
}

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Class([u64; 4]);

impl Class {
    fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn complement(self) -> Self {
        Self(self.0.map(|word| !word))
    }
}

struct Compiler<'a> {
    rest: &'a [u8],
    steps: Vec<Step>,
    classes: Vec<Class>,
}

impl Compiler<'_> {
    fn next_step(&mut self) -> Option<Step> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(match (first, rest) {
            (b'*', _) => Step::Star,
            (b'?', _) => Step::AnyByte,
            (b'[', _) => self.class(),
            (b'\\', [escaped, rest @ ..]) => {
                self.rest = rest;
                Step::Byte(*escaped)
            }
            _ => Step::Byte(first),
        })
    }

    /// Reads a class from behind its `[` to behind its `]`, or to the end of the pattern.
    fn class(&mut self) -> Step {
        let negated = self.rest.first() == Some(&b'^');
        let mut rest = &self.rest[usize::from(negated)..];
        let mut class = Class::default();
        rest = loop {
            // The order of the arms is Redis's: an escape wins over all, `]` cannot begin a range
            // but may end one.
            rest = match rest {
                [] => break rest,
                [b'\\', byte, rest @ ..] => {
                    class.insert(*byte);
                    rest
                }
                [b']', rest @ ..] => break rest,
                [from, b'-', to, rest @ ..] => {
                    (*from.min(to)..=*from.max(to)).for_each(|byte| class.insert(byte));
                    rest
                }
                [byte, rest @ ..] => {
                    class.insert(*byte);
                    rest
                }
            };
        };
        self.rest = rest;
        let class = if negated { class.complement() } else { class };
        // Patterns repeat their classes (`[0-9][0-9]`); keeping one copy of neighbours keeps a
        // hostile pattern small.
        if self.classes.last() != Some(&class) {
            self.classes.push(class);
        }
        Step::Class(self.classes.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn glob(pattern: &[u8], text: &[u8]) -> bool {
        let compiled = Glob::new(pattern);
        compiled.check();
        compiled.matches(text)
    }

    impl Glob {
        /// Asserts the invariant of the file's head.
        fn check(&self) {
            assert!(
                !matches!(self.steps.first(), Some(Step::Byte(_))),
                "a leading literal belongs to the prefix"
            );
            assert!(
                !self.steps.windows(2).any(|pair| pair == [Step::Star, Step::Star]),
                "adjacent stars"
            );
            for step in &self.steps {
                assert!(
                    !matches!(step, Step::Class(index) if *index >= self.classes.len()),
                    "class out of range"
                );
            }
        }
    }

    /// The dumb oracle: reads the pattern as written, and tries every length for every star.
    fn oracle(pattern: &[u8], text: &[u8]) -> bool {
        let Some((&byte, rest)) = text.split_first() else { return pattern.is_empty() };
        match pattern {
            [] => false,
            [b'*', tail @ ..] => {
                tail.iter().all(|byte| *byte == b'*')
                    || (0..text.len()).any(|skip| oracle(tail, &text[skip..]))
            }
            [b'[', tail @ ..] => {
                let (accepted, tail) = oracle_class(tail, byte);
                accepted && oracle_rest(tail, rest)
            }
            [b'?', tail @ ..] => oracle_rest(tail, rest),
            [b'\\', escaped, tail @ ..] => *escaped == byte && oracle_rest(tail, rest),
            [literal, tail @ ..] => *literal == byte && oracle_rest(tail, rest),
        }
    }

    /// What follows a byte that matched: at the end of the text, stars may be left over.
    fn oracle_rest(pattern: &[u8], text: &[u8]) -> bool {
        if text.is_empty() {
            pattern.iter().all(|byte| *byte == b'*')
        } else {
            oracle(pattern, text)
        }
    }

    fn oracle_class(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
        if let [b'^', tail @ ..] = pattern {
            let (accepted, rest) = oracle_members(tail, byte);
            return (!accepted, rest);
        }
        oracle_members(pattern, byte)
    }

    fn oracle_members(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
        let (accepted, rest) = match pattern {
            [] => return (false, pattern),
            [b'\\', member, rest @ ..] => (byte == *member, rest),
            [b']', rest @ ..] => return (false, rest),
            [a, b'-', b, rest @ ..] => {
                ((*a <= byte && byte <= *b) || (*b <= byte && byte <= *a), rest)
            }
            [member, rest @ ..] => (byte == *member, rest),
        };
        let (later, end) = oracle_members(rest, byte);
        (accepted || later, end)
    }

    proptest! {
        #[test]
        fn agrees_with_the_oracle(pattern in tricky(10), text in tricky(8)) {
            prop_assert_eq!(glob(&pattern, &text), oracle(&pattern, &text));
        }

        #[test]
        fn agrees_with_the_oracle_on_few_letters(pattern in "[ab*?]{0,10}", text in "[ab]{0,10}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(glob(pattern, text), oracle(pattern, text));
        }

        #[test]
        fn never_panics(pattern: Vec<u8>, text: Vec<u8>) {
            glob(&pattern, &text);
        }
    }

    fn tricky(longest: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(&b"ab-z[]^\\*?*["[..]), 0..=longest)
    }

    #[test]
    fn plain_shapes() {
        for (pattern, yes, no) in [
            ("news", "news", "new"),
            ("news.*", "news.", "news"),
            ("*", "x", ""),
            ("", "", "x"),
            ("h?llo", "hallo", "hllo"),
            ("h[ae]llo", "hello", "hillo"),
            ("h[^e]llo", "hallo", "hello"),
            ("h[a-c]llo", "hbllo", "hdllo"),
            ("*.log", "a.log.log", "a.logs"),
            ("*a*b*", "xxaxxbxx", "xxbxxaxx"),
            (r"h\*llo", "h*llo", "hallo"),
            ("a*", "a", "b"),
            ("a**", "a", ""),
        ] {
            assert!(glob(pattern.as_bytes(), yes.as_bytes()), "{pattern} {yes}");
            assert!(!glob(pattern.as_bytes(), no.as_bytes()), "{pattern} {no}");
        }
    }

    #[test]
    fn malformed_classes_mean_what_redis_says() {
        for (pattern, members) in [
            ("[", ""),
            ("[]", ""),
            ("[z-x]", "xyz"),
            ("[a-", "a-"),
            ("[]]", ""),
            ("[_-]", "]^_"),
            ("[a", "a"),
            (r"[\", r"\"),
            (r"[\]", "]"),
            (r"[\]]", "]"),
            (r"[\a-c]", "a-c"),
        ] {
            for byte in 0..=255 {
                assert_eq!(
                    glob(pattern.as_bytes(), &[byte]),
                    members.as_bytes().contains(&byte),
                    "{pattern} {byte}"
                );
            }
        }
        assert!(glob(b"[^", b"x") && glob(b"[^]", b"x"), "an empty class negated is any byte");
    }

    #[test]
    fn trailing_backslash_means_itself() {
        assert!(glob(br"a\", br"a\"));
        assert!(!glob(br"a\", b"a"));
        assert!(glob(br"*\", br"xx\"));
    }

    #[test]
    fn a_pattern_of_stars_says_so() {
        assert!(
            Glob::new(b"**").is_star() && !Glob::new(b"a*").is_star() && !Glob::new(b"").is_star()
        );
    }

    #[test]
    fn hostile_1_many_stars_take_no_exponential_time() {
        let pattern = b"a*".repeat(30);
        let mut text = vec![b'a'; 10_000];
        text.push(b'b');
        let started = Instant::now();
        assert!(!glob(&[&pattern[..], b"c"].concat(), &text));
        assert!(glob(&[&pattern[..], b"b"].concat(), &text));
        assert!(started.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn hostile_2_deep_stars_need_no_stack() {
        assert!(glob(&vec![b'*'; 100_000], b"x"));
        assert!(!glob(&b"*a".repeat(100_000), &vec![b'a'; 99_999]));
        assert!(glob(&b"*a".repeat(100_000), &vec![b'a'; 100_000]));
    }

    #[test]
    fn hostile_2_a_huge_class_is_read_once() {
        let mut pattern = vec![b'['];
        pattern.extend(b"a-y".repeat(350_000));
        pattern.extend_from_slice(b"]*z");
        let compiled = Glob::new(&pattern);
        let text = vec![b'b'; 1 << 20];
        let started = Instant::now();
        assert!((0..100).all(|_| !compiled.matches(&text)));
        assert!(started.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn hostile_3_unfinished_patterns_end_with_the_pattern() {
        for pattern in [&b"["[..], b"[^", b"[a", b"[a-", br"[\", br"\", b"*[", br"*\"] {
            for text in [&b""[..], b"a", b"[", br"\", b"ab"] {
                assert_eq!(glob(pattern, text), oracle(pattern, text));
            }
        }
    }
}
