def run(*a): pass
storm=unpullable=rest=run
