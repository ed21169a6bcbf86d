//! What is kept of objects as an API server sends them.
