//! Embedded databases, behind the feature `disk`.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use crate::kv::Key;
use crate::logs::{Disk, VALUE};

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("keys");
/// Writes of one transaction.
const BATCH: usize = 1_000;

/// Without durability, a thousand writes a transaction.
pub struct Redb(Database);

impl Disk for Redb {
    const NAME: &'static str = "redb, 1,000 a transaction, not durable";

    fn open(folder: &Path) -> Self {
        Self(Database::create(folder.join("redb")).expect("a database"))
    }

    fn set(&self, key: &[u8]) {
        self.write(&[key], Durability::Immediate);
    }

    fn set_all(&self, keys: &[Key]) {
        for keys in keys.chunks(BATCH) {
            let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
            self.write(&keys, Durability::None);
        }
    }

    fn get(&self, key: &[u8]) -> bool {
        let transaction = self.0.begin_read().expect("a transaction");
        let table = transaction.open_table(TABLE).expect("a table");
        table.get(key).expect("a read").is_some()
    }

    fn sync(&self) {
        self.write(&[], Durability::Immediate);
    }
}

impl Redb {
    fn write(&self, keys: &[&[u8]], durability: Durability) {
        let mut transaction = self.0.begin_write().expect("a transaction");
        transaction.set_durability(durability).expect("a durability");
        {
            let mut table = transaction.open_table(TABLE).expect("a table");
            for key in keys {
                table.insert(*key, &VALUE[..]).expect("a write");
            }
        }
        transaction.commit().expect("a commit");
    }
}

/// Its journal buffered by the system.
pub struct Fjall {
    keyspace: fjall::Keyspace,
    keys: fjall::PartitionHandle,
}

impl Disk for Fjall {
    const NAME: &'static str = "fjall, buffered";

    fn open(folder: &Path) -> Self {
        let keyspace = fjall::Config::new(folder.join("fjall")).open().expect("a keyspace");
        let options = fjall::PartitionCreateOptions::default();
        let keys = keyspace.open_partition("keys", options).expect("a partition");
        Self { keyspace, keys }
    }

    fn set(&self, key: &[u8]) {
        self.keys.insert(key, VALUE).expect("a write");
    }

    fn get(&self, key: &[u8]) -> bool {
        self.keys.get(key).expect("a read").is_some()
    }

    fn sync(&self) {
        self.keyspace.persist(fjall::PersistMode::SyncAll).expect("a sync");
    }
}
