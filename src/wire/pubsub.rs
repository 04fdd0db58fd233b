//! The wire form of publish and subscribe.

use super::command::command;
use crate::ops::pubsub::*;

command!(Publish<'a>, "PUBLISH" { channel, message });
