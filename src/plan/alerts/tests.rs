//! What follows from what, channel by channel.
