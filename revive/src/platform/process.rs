//! Apps as local processes.
