"""`perdure keys`: the master keys that seal providers' keys in the database."""

import typer

app = typer.Typer(help="Make master keys.", no_args_is_help=True)


@app.command("new", epilog="Example:  export PERDURE_MASTER_KEYS=$(perdure keys new)")
def new() -> None:
    """Print a new master key. Keep a copy: without it, what it has sealed stays closed.

    Put it into PERDURE_MASTER_KEYS of every API and worker process, before the ones that are there,
    separated by a comma.
    """
    from runtime.secrets import new_master_key

    print(new_master_key())
