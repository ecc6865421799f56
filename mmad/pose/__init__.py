"""Joints of people: from videos, from other tools' files, and as what a network is shown of them."""
