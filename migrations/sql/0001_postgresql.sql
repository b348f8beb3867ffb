CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE
AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint';

CREATE TABLE sessions_default PARTITION OF sessions DEFAULT WITH (fillfactor = 80);

CREATE TABLE families_default PARTITION OF families DEFAULT WITH (fillfactor = 80);

CREATE FUNCTION config_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE issuer SET config_version = config_version + 1 WHERE id = 1;
  RETURN NULL;
END $$;

CREATE TRIGGER clients_config AFTER INSERT OR UPDATE OR DELETE ON clients
FOR EACH STATEMENT EXECUTE FUNCTION config_moved();

CREATE TRIGGER client_secrets_config AFTER INSERT OR UPDATE OR DELETE ON client_secrets
FOR EACH STATEMENT EXECUTE FUNCTION config_moved();

CREATE TRIGGER signing_keys_config AFTER INSERT OR UPDATE OR DELETE ON signing_keys
FOR EACH STATEMENT EXECUTE FUNCTION config_moved();

CREATE FUNCTION version_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.version < OLD.version THEN
    RAISE EXCEPTION 'a revocation version only moves forward';
  END IF;
  IF OLD.enabled AND NOT NEW.enabled AND NEW.version = OLD.version THEN
    NEW.version := OLD.version + 1;
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER users_version BEFORE UPDATE ON users
FOR EACH ROW EXECUTE FUNCTION version_moves();

CREATE TRIGGER clients_version BEFORE UPDATE ON clients
FOR EACH ROW EXECUTE FUNCTION version_moves();

CREATE FUNCTION version_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, created_at)
  VALUES (TG_ARGV[0], NEW.id, NEW.version,
          CASE WHEN NEW.updated_at > OLD.updated_at THEN NEW.updated_at ELSE now_ms() END);
  RETURN NULL;
END $$;

CREATE TRIGGER users_outbox AFTER UPDATE ON users
FOR EACH ROW WHEN (NEW.version > OLD.version) EXECUTE FUNCTION version_moved('sub');

CREATE TRIGGER clients_outbox AFTER UPDATE ON clients
FOR EACH ROW WHEN (NEW.version > OLD.version) EXECUTE FUNCTION version_moved('cli');

CREATE FUNCTION user_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, created_at) VALUES ('sub', OLD.id, OLD.version + 1, now_ms());
  RETURN NULL;
END $$;

CREATE TRIGGER users_removed AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION user_removed();

CREATE FUNCTION client_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.version := greatest(NEW.version, (SELECT client_version_floor FROM issuer WHERE id = 1 FOR UPDATE));
  RETURN NEW;
END $$;

CREATE TRIGGER clients_added BEFORE INSERT ON clients FOR EACH ROW EXECUTE FUNCTION client_added();

CREATE FUNCTION client_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE issuer SET client_version_floor = greatest(client_version_floor, OLD.version + 1) WHERE id = 1;
  INSERT INTO revocation_outbox (kind, value, version, created_at) VALUES ('cli', OLD.id, OLD.version + 1, now_ms());
  RETURN NULL;
END $$;

CREATE TRIGGER clients_removed AFTER DELETE ON clients FOR EACH ROW EXECUTE FUNCTION client_removed();

CREATE FUNCTION issuer_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.revocation_version < OLD.revocation_version THEN
    RAISE EXCEPTION 'a revocation version only moves forward';
  END IF;
  NEW.config_version := OLD.config_version + 1;
  INSERT INTO revocation_outbox (kind, value, version, created_at) VALUES ('iss', '', NEW.revocation_version, now_ms());
  RETURN NEW;
END $$;

CREATE TRIGGER issuer_version BEFORE UPDATE ON issuer
FOR EACH ROW WHEN (NEW.revocation_version <> OLD.revocation_version) EXECUTE FUNCTION issuer_moves();

CREATE FUNCTION stays_dead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what was ended stays ended';
END $$;

CREATE TRIGGER sessions_stay_dead BEFORE UPDATE OF dead_at ON sessions
FOR EACH ROW WHEN (OLD.dead_at IS NOT NULL AND NEW.dead_at IS NULL) EXECUTE FUNCTION stays_dead();

CREATE TRIGGER families_stay_dead BEFORE UPDATE OF dead_at ON families
FOR EACH ROW WHEN (OLD.dead_at IS NOT NULL AND NEW.dead_at IS NULL) EXECUTE FUNCTION stays_dead();

CREATE FUNCTION session_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE families SET dead_at = NEW.dead_at, dead_reason = NEW.dead_reason
  WHERE session_id = NEW.id AND dead_at IS NULL;
  RETURN NULL;
END $$;

CREATE TRIGGER sessions_ended AFTER UPDATE OF dead_at ON sessions
FOR EACH ROW WHEN (OLD.dead_at IS NULL AND NEW.dead_at IS NOT NULL) EXECUTE FUNCTION session_ended();

CREATE FUNCTION session_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE families SET dead_at = now_ms(), dead_reason = 'session removed'
  WHERE session_id = OLD.id AND dead_at IS NULL
    AND EXISTS (SELECT 1 FROM users WHERE users.id = families.user_id);
  RETURN NULL;
END $$;

CREATE TRIGGER sessions_removed AFTER DELETE ON sessions
FOR EACH ROW WHEN (OLD.dead_at IS NULL) EXECUTE FUNCTION session_removed();

CREATE FUNCTION family_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, created_at) VALUES ('sid', NEW.id, 0, NEW.dead_at);
  RETURN NULL;
END $$;

CREATE TRIGGER families_ended AFTER UPDATE OF dead_at ON families
FOR EACH ROW WHEN (OLD.dead_at IS NULL AND NEW.dead_at IS NOT NULL AND NEW.dead_at < NEW.abs_until)
EXECUTE FUNCTION family_ended();

CREATE FUNCTION family_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.abs_until > now_ms() AND EXISTS (SELECT 1 FROM users WHERE users.id = OLD.user_id) THEN
    INSERT INTO revocation_outbox (kind, value, version, created_at) VALUES ('sid', OLD.id, 0, now_ms());
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER families_removed AFTER DELETE ON families
FOR EACH ROW WHEN (OLD.dead_at IS NULL) EXECUTE FUNCTION family_removed();

CREATE FUNCTION token_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, expires_at, created_at)
  VALUES ('jti', NEW.jti, 0, NEW.expires_at, NEW.revoked_at);
  RETURN NULL;
END $$;

CREATE TRIGGER revoked_tokens_outbox AFTER INSERT ON revoked_tokens
FOR EACH ROW EXECUTE FUNCTION token_revoked();

CREATE TRIGGER revoked_tokens_prolonged AFTER UPDATE OF expires_at ON revoked_tokens
FOR EACH ROW WHEN (NEW.expires_at > OLD.expires_at) EXECUTE FUNCTION token_revoked();

CREATE FUNCTION key_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO revocation_outbox (kind, value, version, created_at)
  VALUES ('kid', NEW.kid, 0, coalesce(NEW.revoked_at, now_ms()));
  RETURN NULL;
END $$;

CREATE TRIGGER signing_keys_revoked AFTER UPDATE ON signing_keys
FOR EACH ROW WHEN (OLD.state <> 'revoked' AND NEW.state = 'revoked') EXECUTE FUNCTION key_revoked();

CREATE FUNCTION key_stays_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a revoked key stays revoked';
END $$;

CREATE TRIGGER signing_keys_stay_revoked BEFORE UPDATE ON signing_keys
FOR EACH ROW WHEN (OLD.state = 'revoked' AND NEW.state <> 'revoked') EXECUTE FUNCTION key_stays_revoked();
