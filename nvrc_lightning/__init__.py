"""Training and measuring neural video codecs, video in and out, and the program `nvrc`."""
