    with pytest.raises(StoreError, match="ended before its commit"), engine.begin() as connection:  # noqa: PT012
        connection.execute(text("CREATE TABLE t (a integer PRIMARY KEY)"))
        with suppress(IntegrityError):
            connection.execute(text("INSERT OR ROLLBACK INTO t VALUES (1), (1)"))
