-- A file as version 1 left it. Never changed, so that later versions are tested against what is really out there.
CREATE TABLE apps (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('awake', 'asleep')),
    depth TEXT CHECK (depth IN ('light', 'deep') AND state = 'asleep' OR depth IS NULL AND state = 'awake'),
    since INTEGER NOT NULL,
    last_activity INTEGER,
    port INTEGER CHECK (port BETWEEN 1 AND 65535),
    failure TEXT,
    failures INTEGER NOT NULL CHECK ((failures > 0) = (failure IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE TABLE pauses (
    scope TEXT NOT NULL CHECK (scope IN ('all', 'workspace')),
    workspace TEXT NOT NULL CHECK ((workspace = '') = (scope = 'all')),
    by TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (scope, workspace)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    before TEXT NOT NULL CHECK (json_valid(before)),
    after TEXT NOT NULL CHECK (json_valid(after))
) STRICT;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TABLE instances (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    next INTEGER NOT NULL CHECK (next > 0)
) STRICT;
INSERT INTO instances VALUES (1, 77);
INSERT INTO apps VALUES ('hello', 'asleep', 'deep', 1700000001000, 1700000000500, 20001, 'unhealthy', 2);
INSERT INTO pauses VALUES ('workspace', 'shop', 'ann', 1700000000000);
INSERT INTO audit (at, actor, action, subject, before, after)
    VALUES (1700000000000, 'ann', 'sleep.pause', 'shop', 'null', '{"paused":true}');
PRAGMA application_id = 0x4C4F434F;
PRAGMA user_version = 1;
