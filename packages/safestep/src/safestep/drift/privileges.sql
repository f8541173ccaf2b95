-- Who may do what: scope, target, privilege, grantee, whether it may be granted on, and whether the grantee is the owner.
WITH namespaces AS (
    SELECT * FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
),
of_extensions AS (
    SELECT objid FROM pg_depend WHERE deptype = 'e'
),
relations AS (
    SELECT pg_class.oid, nspname, relname, relkind, relowner, relacl
    FROM pg_class JOIN namespaces ON namespaces.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relname <> 'safestep_backfill'
        AND pg_class.oid NOT IN (TABLE of_extensions)
),
defaults AS (
    SELECT rolname, defaclrole, defaclnamespace, defaclacl, code, kind
    FROM pg_default_acl
    JOIN pg_roles ON pg_roles.oid = defaclrole
    JOIN (VALUES
        ('r'::"char", 'r'::"char", 'TABLES'), ('S', 's', 'SEQUENCES'), ('f', 'f', 'ROUTINES'), ('T', 'T', 'TYPES'),
        ('n', 'n', 'SCHEMAS')
    ) AS kinds (type, code, kind) ON type = defaclobjtype
),
objects (scope, target, columns, owner, acl) AS (
    SELECT '', format('TABLE %I.%I', nspname, relname), '', relowner, coalesce(relacl, acldefault('r', relowner))
    FROM relations WHERE relkind <> 'S'
    UNION ALL
    SELECT '', format('SEQUENCE %I.%I', nspname, relname), '', relowner, coalesce(relacl, acldefault('s', relowner))
    FROM relations WHERE relkind = 'S'
    UNION ALL
    SELECT '', format('TABLE %I.%I', nspname, relname), format(' (%I)', attname), relowner, attacl
    FROM pg_attribute JOIN relations ON relations.oid = attrelid
    WHERE attacl IS NOT NULL AND NOT attisdropped
    UNION ALL
    SELECT '', format('ROUTINE %I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid)), '',
        proowner, coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc JOIN namespaces ON namespaces.oid = pronamespace
    WHERE pg_proc.oid NOT IN (TABLE of_extensions)
    UNION ALL
    SELECT '', format('TYPE %I.%I', nspname, typname), '', typowner, coalesce(typacl, acldefault('T', typowner))
    FROM pg_type JOIN namespaces ON namespaces.oid = typnamespace
    WHERE typtype IN ('d', 'e', 'r') AND pg_type.oid NOT IN (TABLE of_extensions)
    UNION ALL
    SELECT '', format('SCHEMA %I', nspname), '', nspowner, coalesce(nspacl, acldefault('n', nspowner))
    FROM namespaces
    UNION ALL
    SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I ', rolname, nspname),
        kind, '', NULL, defaclacl
    FROM defaults JOIN namespaces ON namespaces.oid = defaclnamespace
    UNION ALL
    -- Those of all schemas also list what holds without them.
    SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I ', rolname), kind, '', NULL,
        ARRAY(SELECT item FROM unnest(defaclacl) AS item WHERE NOT item = ANY (acldefault(code, defaclrole)))
    FROM defaults WHERE defaclnamespace = 0
)
SELECT json_build_array(
    scope, target, privilege_type || columns, coalesce(quote_ident(rolname), 'PUBLIC'), is_grantable, grantee = owner
)
FROM objects, aclexplode(acl) LEFT JOIN pg_roles ON pg_roles.oid = grantee
