"""One file per model behind the protocols of `base`; nothing here knows of exams, sockets or sessions."""
