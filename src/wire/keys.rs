//! The wire form of the operations on keys.

use super::command::command;
use crate::ops::keys::*;

command!(Delete<'a>, "DEL" { keys });
