//! Links over real sockets.
