//! The outside: what will be told to chat systems. Empty so far: taskbridge answers on GitHub only.
