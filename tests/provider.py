"""One process of the AWS provider for many Terraform commands.

Terraform would start it twice or more for every command, which is a third of the work.
"""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scripts.deploy import terraform
from tests.waiting import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def serve(root: Path, environment_name: str, printed: Path) -> Iterator[dict[str, str]]:
    """Run the provider that an initialised `root` uses; yields how Terraform reaches it.

    What it prints goes to the file `printed`. The variables are for `terraform.run` and serve one
    command at a time where the provider is configured, any number where it is a mock.
    """
    data = terraform.data_directory(root, environment_name)
    (program,) = data.glob(f"providers/{terraform.PROVIDER}/*/*/terraform-provider-aws_v*")
    # A configured provider cannot be configured again where it has authorities of the machine's own
    # to trust, and there is nothing beyond loopback that it is to reach.
    variables = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    with printed.open("w") as output:
        process = subprocess.Popen(
            [program, "-debug"], env=variables, stdout=output, stderr=subprocess.DEVNULL
        )
    try:

        def offered() -> re.Match[str] | None:
            assert process.poll() is None, "the provider has ended"
            return re.search("TF_REATTACH_PROVIDERS='(.*)'", printed.read_text("utf-8"))

        found = until(offered, "the provider's offer to attach to it")
        assert found is not None
        yield {"TF_REATTACH_PROVIDERS": found[1]}
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)
