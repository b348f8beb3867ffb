CREATE TRIGGER clients_config_insert AFTER INSERT ON clients
BEGIN
  UPDATE issuer SET config_version = config_version + 1 WHERE id = 1;
END;

CREATE TRIGGER clients_config_update AFTER UPDATE ON clients
BEGIN
  UPDATE issuer SET config_version = config_version + 1 WHERE id = 1;
END;

CREATE TRIGGER clients_config_delete AFTER DELETE ON clients
BEGIN
  UPDATE issuer SET config_version = config_version + 1 WHERE id = 1;
END;

CREATE TRIGGER client_secrets_config_insert AFTER INSERT ON client_secrets
BEGIN
  UPDATE issuer SET config_version = config_version + 1 WHERE id = 1;
END;

CREATE TRIGGER client_secrets_config_update AFTER UPDATE ON client_secrets
BEGIN
  UPDATE issuer SET config_version = config_version + 1 WHERE id = 1;
END;

CREATE TRIGGER client_secrets_config_delete AFTER DELETE ON client_secrets
BEGIN
  UPDATE issuer SET config_version = config_version + 1 WHERE id = 1;
END;

CREATE TRIGGER signing_keys_config_insert AFTER INSERT ON signing_keys
BEGIN
  UPDATE issuer SET config_version = config_version + 1 WHERE id = 1;
END;

CREATE TRIGGER signing_keys_config_update AFTER UPDATE ON signing_keys
BEGIN
  UPDATE issuer SET config_version = config_version + 1 WHERE id = 1;
END;

CREATE TRIGGER signing_keys_config_delete AFTER DELETE ON signing_keys
BEGIN
  UPDATE issuer SET config_version = config_version + 1 WHERE id = 1;
END;

CREATE TRIGGER users_version BEFORE UPDATE OF version ON users WHEN NEW.version < OLD.version
BEGIN
  SELECT RAISE(ABORT, 'a revocation version only moves forward');
END;

CREATE TRIGGER users_disabled AFTER UPDATE OF enabled ON users
WHEN OLD.enabled AND NOT NEW.enabled AND NEW.version = OLD.version
BEGIN
  UPDATE users SET version = version + 1 WHERE id = NEW.id;
END;

CREATE TRIGGER users_outbox AFTER UPDATE OF version ON users WHEN NEW.version > OLD.version
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, created_at)
  VALUES ('sub', NEW.id, NEW.version, CASE WHEN NEW.updated_at > OLD.updated_at THEN NEW.updated_at
          ELSE CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) END);
END;

CREATE TRIGGER clients_version BEFORE UPDATE OF version ON clients WHEN NEW.version < OLD.version
BEGIN
  SELECT RAISE(ABORT, 'a revocation version only moves forward');
END;

CREATE TRIGGER clients_disabled AFTER UPDATE OF enabled ON clients
WHEN OLD.enabled AND NOT NEW.enabled AND NEW.version = OLD.version
BEGIN
  UPDATE clients SET version = version + 1 WHERE id = NEW.id;
END;

CREATE TRIGGER clients_outbox AFTER UPDATE OF version ON clients WHEN NEW.version > OLD.version
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, created_at)
  VALUES ('cli', NEW.id, NEW.version, CASE WHEN NEW.updated_at > OLD.updated_at THEN NEW.updated_at
          ELSE CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) END);
END;

CREATE TRIGGER users_removed AFTER DELETE ON users
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, created_at)
  VALUES ('sub', OLD.id, OLD.version + 1, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;

CREATE TRIGGER clients_added AFTER INSERT ON clients
WHEN NEW.version < (SELECT client_version_floor FROM issuer WHERE id = 1)
BEGIN
  UPDATE clients SET version = (SELECT client_version_floor FROM issuer WHERE id = 1) WHERE id = NEW.id;
END;

CREATE TRIGGER clients_removed AFTER DELETE ON clients
BEGIN
  UPDATE issuer SET client_version_floor = max(client_version_floor, OLD.version + 1) WHERE id = 1;
  INSERT INTO revocation_outbox (kind, value, version, created_at)
  VALUES ('cli', OLD.id, OLD.version + 1, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;

CREATE TRIGGER issuer_version BEFORE UPDATE OF revocation_version ON issuer
WHEN NEW.revocation_version < OLD.revocation_version
BEGIN
  SELECT RAISE(ABORT, 'a revocation version only moves forward');
END;

CREATE TRIGGER issuer_outbox AFTER UPDATE OF revocation_version ON issuer
WHEN NEW.revocation_version > OLD.revocation_version
BEGIN
  UPDATE issuer SET config_version = config_version + 1 WHERE id = 1;
  INSERT INTO revocation_outbox (kind, value, version, created_at)
  VALUES ('iss', '', NEW.revocation_version, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;

CREATE TRIGGER sessions_stay_dead BEFORE UPDATE OF dead_at ON sessions
WHEN OLD.dead_at IS NOT NULL AND NEW.dead_at IS NULL
BEGIN
  SELECT RAISE(ABORT, 'what was ended stays ended');
END;

CREATE TRIGGER families_stay_dead BEFORE UPDATE OF dead_at ON families
WHEN OLD.dead_at IS NOT NULL AND NEW.dead_at IS NULL
BEGIN
  SELECT RAISE(ABORT, 'what was ended stays ended');
END;

CREATE TRIGGER sessions_ended AFTER UPDATE OF dead_at ON sessions
WHEN OLD.dead_at IS NULL AND NEW.dead_at IS NOT NULL
BEGIN
  UPDATE families SET dead_at = NEW.dead_at, dead_reason = NEW.dead_reason
  WHERE session_id = NEW.id AND dead_at IS NULL;
END;

CREATE TRIGGER sessions_removed AFTER DELETE ON sessions WHEN OLD.dead_at IS NULL
BEGIN
  UPDATE families SET dead_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), dead_reason = 'session removed'
  WHERE session_id = OLD.id AND dead_at IS NULL
    AND EXISTS (SELECT 1 FROM users WHERE users.id = families.user_id);
END;

CREATE TRIGGER families_ended AFTER UPDATE OF dead_at ON families
WHEN OLD.dead_at IS NULL AND NEW.dead_at IS NOT NULL AND NEW.dead_at < NEW.abs_until
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, created_at) VALUES ('sid', NEW.id, 0, NEW.dead_at);
END;

CREATE TRIGGER families_removed AFTER DELETE ON families
WHEN OLD.dead_at IS NULL
 AND OLD.abs_until > CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
 AND EXISTS (SELECT 1 FROM users WHERE users.id = OLD.user_id)
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, created_at)
  VALUES ('sid', OLD.id, 0, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER));
END;

CREATE TRIGGER revoked_tokens_outbox AFTER INSERT ON revoked_tokens
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, expires_at, created_at)
  VALUES ('jti', NEW.jti, 0, NEW.expires_at, NEW.revoked_at);
END;

CREATE TRIGGER revoked_tokens_prolonged AFTER UPDATE OF expires_at ON revoked_tokens
WHEN NEW.expires_at > OLD.expires_at
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, expires_at, created_at)
  VALUES ('jti', NEW.jti, 0, NEW.expires_at, NEW.revoked_at);
END;

CREATE TRIGGER signing_keys_revoked AFTER UPDATE OF state ON signing_keys
WHEN OLD.state <> 'revoked' AND NEW.state = 'revoked'
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, created_at)
  VALUES ('kid', NEW.kid, 0, coalesce(NEW.revoked_at, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)));
END;

CREATE TRIGGER signing_keys_stay_revoked BEFORE UPDATE OF state ON signing_keys
WHEN OLD.state = 'revoked' AND NEW.state <> 'revoked'
BEGIN
  SELECT RAISE(ABORT, 'a revoked key stays revoked');
END;
