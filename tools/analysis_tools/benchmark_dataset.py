"""Is a module of dev now: see moved.py."""

if __name__ == '__main__':
    from moved import run

    run(__file__)
