"""What the service models of botocore say of requests, checked as the services check it.

botocore itself checks types, required members and `min` before it sends; `max`, `pattern`, `enum`
and unions are left to the service, and so to its stub.
"""
