"""The only modules that know boto3. Each implements a protocol of `tollgate.ports`."""
