"""A notebook without what running it leaves in the file: git's filter for notebooks/*.ipynb (see .gitattributes).

Reads the notebook from standard input and writes it as it would have been saved before it ran: no outputs, no counts,
nothing of the kernel but its name. Needs nothing but Python. What is no notebook passes as it is.
"""

import json
import sys

LEFT_BY_RUNNING = ("ExecuteTime", "collapsed", "execution", "jupyter", "papermill", "scrolled", "trusted")
OF_THE_FILE = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def stripped(text: str) -> str:
    """The notebook's text without outputs, in the order and layout that Jupyter saves."""
    try:
        notebook = json.loads(text)
        cells = notebook["cells"]
    except (ValueError, KeyError, TypeError):
        return text
    for cell in cells:
        cell["metadata"] = {k: v for k, v in cell.get("metadata", {}).items() if k not in LEFT_BY_RUNNING}
        if cell.get("cell_type") == "code":
            cell |= {"outputs": [], "execution_count": None}
    notebook["metadata"] = OF_THE_FILE
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(stripped(sys.stdin.buffer.read().decode()).encode())
