"""`empathy-env traces`: data sets made of recorded talks."""
import typer
app = typer.Typer(help="Data sets made of recorded talks.", no_args_is_help=True)
@app.command("x")
def x() -> None: ...
@app.command("y")
def y() -> None: ...
