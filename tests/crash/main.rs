//! Stores in a directory whose process is killed, and whose file system is shut down by force.
//!
//! A child process, which is this program again, writes and notes what it was told is done. It is
//! killed at a random moment; then the directory is opened, and must hold what the child may have
//! done up to some moment: nothing that was acknowledged as kept is missing, nothing is torn.
//!
//! `cargo test --test crash` kills some, and as many as `LARDER_KILLS` says. With
//! `-- --ignored real_disk` it takes file systems away, too; that needs root, loop devices and
//! `xfs_io`.

#[path = "../differential/grammar.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod grammar;

mod child;
mod kill;
mod real_disk;
mod scene;
mod step;

use larder::Store;

/// How often to try something, unless the environment says so.
fn rounds(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |given| given.parse().expect("a number"))
}

/// Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}
