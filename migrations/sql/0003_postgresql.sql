CREATE FUNCTION note_logout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_ARGV[0] = 'session' THEN
    INSERT INTO logout_outbox (kind, value, version, created_at) VALUES ('session', NEW.id, 0, NEW.dead_at);
  ELSIF TG_ARGV[0] = 'user' THEN
    INSERT INTO logout_outbox (kind, value, version, created_at) VALUES ('user', OLD.id, OLD.version, now_ms());
  ELSE
    INSERT INTO logout_outbox (kind, value, version, created_at)
    VALUES ('issuer', '', OLD.revocation_version, now_ms());
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER sessions_logout AFTER UPDATE OF dead_at ON sessions
FOR EACH ROW WHEN (OLD.dead_at IS NULL AND NEW.dead_at IS NOT NULL AND NEW.dead_at < NEW.abs_until)
EXECUTE FUNCTION note_logout('session');

CREATE TRIGGER users_logout AFTER UPDATE ON users
FOR EACH ROW WHEN (NEW.version > OLD.version) EXECUTE FUNCTION note_logout('user');

CREATE TRIGGER users_removed_logout AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION note_logout('user');

CREATE TRIGGER issuer_logout AFTER UPDATE ON issuer
FOR EACH ROW WHEN (NEW.revocation_version > OLD.revocation_version) EXECUTE FUNCTION note_logout('issuer');

CREATE FUNCTION note_session_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM users WHERE users.id = OLD.user_id) THEN
    INSERT INTO logout_outbox (kind, value, version, created_at) VALUES ('session', OLD.id, 0, now_ms());
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER sessions_removed_logout AFTER DELETE ON sessions
FOR EACH ROW WHEN (OLD.dead_at IS NULL AND OLD.abs_until > now_ms()) EXECUTE FUNCTION note_session_removed();

CREATE FUNCTION note_family_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO logout_outbox (kind, value, version, created_at)
  VALUES ('family', json_build_array(OLD.id, OLD.client_id, OLD.user_id, OLD.terms)::text, 0, now_ms());
  RETURN NULL;
END $$;

CREATE TRIGGER families_logout AFTER DELETE ON families
FOR EACH ROW WHEN (OLD.dead_at IS NULL AND OLD.abs_until > now_ms() AND OLD.scope LIKE '%"openid"%')
EXECUTE FUNCTION note_family_removed();

ALTER TABLE logout_outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

ALTER TABLE used_once SET (autovacuum_vacuum_scale_factor = 0.05);
