"""Sample vivas whose truth is known: who knows how much, which questions are bad, how raters err, what was misheard."""
