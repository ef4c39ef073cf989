"""Results handed on by the program itself: mail, scores to a learning platform, copies to an archive. Off until set up.

What a delivery may promise differs. A mail is sent at most once: a crash between sending and noting leaves it marked
`uncertain`, and a person decides. A score and a copy may be sent again without harm, so they are sent at least once.
"""
