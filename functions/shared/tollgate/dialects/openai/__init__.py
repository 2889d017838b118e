"""The OpenAI API: Chat Completions and Embeddings, in terms of Converse."""
