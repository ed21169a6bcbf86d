//! From a file of apps to the model.
