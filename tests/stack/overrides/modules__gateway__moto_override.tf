# moto returns the policy as it was sent; AWS escapes it, and the provider can read nothing else.
# tests/aws has a stand-in that does as AWS.
resource "aws_api_gateway_rest_api" "this" {
  policy = null
}
