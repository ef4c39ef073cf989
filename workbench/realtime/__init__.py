"""The live conversation: turn-taking, playout, protocol and server. Judges nothing and chooses no question."""
