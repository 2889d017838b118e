"""Wire formats: a package for each API.

In each of them `request` parses, `answer` renders, `stream` renders while an answer is made and
`errors` writes what is refused, where the API has that; the same work has the same name in all:
`parse_chat`, `chat_body`, `ChatStream`, `refusal`. Modules beside the packages are shared.
"""
