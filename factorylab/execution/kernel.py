"""The kernel that runs a notebook: this Python, with the variables that it is given."""

from __future__ import annotations

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from traitlets import Dict, Unicode, default


class OwnKernel(AsyncKernelManager):
    """Starts the kernel of this environment, whichever kernels and IPython profiles the account has besides.

    Unix sockets in `folder`, which is ours alone: neither an open port nor a clash with another kernel.
    """

    env = Dict(help="all variables of the kernel").tag(config=True)
    folder = Unicode(help="for sockets and IPython's own files").tag(config=True)
    transport = Unicode("ipc")

    @default("ip")
    def _sockets(self) -> str:
        return f"{self.folder}/kernel"

    @default("connection_file")
    def _connection(self) -> str:
        return f"{self.folder}/kernel.json"

    @default("kernel_spec_manager")
    def _only_this_python(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])

    async def start_kernel(self, **options: object) -> None:  # type: ignore[override]
        env = {**self.env, "IPYTHONDIR": self.folder, "JUPYTER_RUNTIME_DIR": self.folder}
        await super().start_kernel(env=env, **options)
