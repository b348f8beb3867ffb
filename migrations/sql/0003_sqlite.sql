CREATE TRIGGER sessions_logout AFTER UPDATE OF dead_at ON sessions
WHEN OLD.dead_at IS NULL AND NEW.dead_at IS NOT NULL AND NEW.dead_at < NEW.abs_until
BEGIN
  INSERT INTO logout_outbox (kind, value, version, created_at) VALUES ('session', NEW.id, 0, NEW.dead_at);
END;

CREATE TRIGGER users_logout AFTER UPDATE OF version ON users WHEN NEW.version > OLD.version
BEGIN
  INSERT INTO logout_outbox (kind, value, version, created_at)
  VALUES ('user', OLD.id, OLD.version, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;

CREATE TRIGGER users_removed_logout AFTER DELETE ON users
BEGIN
  INSERT INTO logout_outbox (kind, value, version, created_at)
  VALUES ('user', OLD.id, OLD.version, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;

CREATE TRIGGER issuer_logout AFTER UPDATE OF revocation_version ON issuer
WHEN NEW.revocation_version > OLD.revocation_version
BEGIN
  INSERT INTO logout_outbox (kind, value, version, created_at)
  VALUES ('issuer', '', OLD.revocation_version, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;

CREATE TRIGGER sessions_removed_logout AFTER DELETE ON sessions
WHEN OLD.dead_at IS NULL AND OLD.abs_until > CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
 AND EXISTS (SELECT 1 FROM users WHERE users.id = OLD.user_id)
BEGIN
  INSERT INTO logout_outbox (kind, value, version, created_at)
  VALUES ('session', OLD.id, 0, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;

CREATE TRIGGER families_logout AFTER DELETE ON families
WHEN OLD.dead_at IS NULL AND OLD.abs_until > CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
 AND instr(OLD.scope, '"openid"') > 0
BEGIN
  INSERT INTO logout_outbox (kind, value, version, created_at)
  VALUES ('family', json_array(OLD.id, OLD.client_id, OLD.user_id, OLD.terms), 0,
          CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;
