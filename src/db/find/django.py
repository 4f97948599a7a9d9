# Prints the connection that Django migrates with, one setting a line: "crelease-db KEY VALUE".  find.sh sends it to
# the application's own python on standard input, in the application's folder.
#
# manage.py itself is run, since it chooses the settings and may load a .env first; but where it would run a command,
# the settings are printed.
import os
import runpy
import sys

answer = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.stdout = sys.stderr
sys.path.insert(0, os.getcwd())


def tell(key, value):
    value = "" if value is None else str(value)
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        key, value = "problem", "Django's settings have a %s with a control character" % key
    if value:
        answer.write("crelease-db %s %s\n" % (key, value))


def show(*_):
    from django.conf import settings

    databases = settings.DATABASES
    wanted = os.environ.get("crelease_database") or "default"
    one = databases.get(wanted) or {}
    options = one.get("OPTIONS") or {}
    tell("adapter", str(one.get("ENGINE", "")).split(".")[-1])
    tell("env", os.environ.get("DJANGO_SETTINGS_MODULE"))
    tell("database", one.get("NAME"))
    tell("username", one.get("USER"))
    tell("password", one.get("PASSWORD"))
    host = str(one.get("HOST") or "")
    tell("socket" if host.startswith("/") and "mysql" in str(one.get("ENGINE")) else "host", host)
    tell("port", one.get("PORT"))
    for key in ("sslmode", "sslrootcert", "sslcert", "sslkey", "service", "passfile", "unix_socket"):
        if isinstance(options.get(key), (str, int)):
            tell(key, options[key])
    if wanted == "default":
        more = sorted(set(databases) - {"default"})
        tell("more", ", ".join(more))
        tell("each", ", ".join(name + ": {}" for name in ["default", *more]))


try:
    import django.core.management as management

    management.execute_from_command_line = show
    script = os.environ.get("crelease_manage") or "manage.py"
    sys.argv = [script, "migrate"] + [a for a in os.environ.get("crelease_options", "").split() if a.startswith("--settings=")]
    if len(sys.argv) > 2:
        os.environ["DJANGO_SETTINGS_MODULE"] = sys.argv[2].split("=", 1)[1]
    runpy.run_path(script, run_name="__main__")
except BaseException as e:  # SystemExit, too
    # A message may quote a password.
    tell("problem", "Django's settings could not be loaded (%s)" % type(e).__name__)
answer.flush()
os._exit(0)
