//! What `COMMAND DOCS` tells of each command, and the groups that they are in: `docs.txt`, read
//! when first asked for. A line there is a name, the version of Redis that had it first, its
//! complexity and a summary, below the name of its group.
//!
//! Arguments are not among it: the grammar of a command is code, and a second one in words could
//! only come to differ from it.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What there is to say of a command.
pub(super) struct Doc {
    pub(super) group: &'static str,
    pub(super) since: &'static str,
    pub(super) complexity: &'static str,
    pub(super) summary: &'static str,
}

static BY_NAME: LazyLock<HashMap<&str, Doc>> = LazyLock::new(|| {
    let mut group = "";
    let mut docs = HashMap::new();
    for line in include_str!("docs.txt").lines() {
        if let Some(name) = line.strip_prefix("== ") {
            group = name;
        }
        let mut fields = line.splitn(4, "; ");
        let mut field = || fields.next();
        if let (Some(name), Some(since), Some(complexity), Some(summary)) =
            (field(), field(), field(), field())
        {
            docs.insert(name, Doc { group, since, complexity, summary });
        }
    }
    docs
});

/// What there is to say of the command `NAME` or the subcommand `COMMAND|NAME`, in capitals.
pub(super) fn find(name: &str) -> Option<&'static Doc> {
    BY_NAME.get(name)
}

#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied()
}
