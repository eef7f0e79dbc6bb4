//! `paas`: your own Heroku on any Linux server.
