//! Locks and atomics, in one place so that a model checker can stand in for them.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, OnceLock, Weak};

pub(crate) use parking_lot::{
    Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
