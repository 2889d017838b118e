"""What Bedrock refuses beyond its service model, by subject.

Written from the service's own documents and answers and not from the gateway's code, which it is
to test. All raise a ValidationException; where the service's words are known, they are the same.
"""
