"""A family that is not known: nothing is sent that cannot be bounded.

Its text has no known maximum of tokens and its prompts no known form, so that both are refused.
Embeddings and images are asked for in Titan's words, as the first seed system did.
"""

from __future__ import annotations

from tollgate.domain.families import titan
from tollgate.domain.families.forms import ANY_MODEL, Family

EMBEDDINGS = titan.EMBED_IMAGE._replace(
    models=ANY_MODEL, members=titan.EMBED_IMAGE.members | titan.EMBED_V2.members
)
GENERIC = Family(name="unknown", models=ANY_MODEL, embeddings=(EMBEDDINGS,), images=(titan.IMAGES,))

# What no family's table has, but servers are known to read: more words for several answers, and
# for media in texts and in what is embedded. They count whoever is called.
ANSWERS = ("best_of", "candidate_count")
MEDIA = ("input_image",)
EMBEDDED_IMAGES = ("image",)
