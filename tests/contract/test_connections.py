"""How many may ask the store at once."""

from atom.store.connection import connect


def test_each_of_many_threads_has_a_connection(embedded_redis):
    """The driver's own bound of 100 would refuse a worker with more threads than that."""
    client = connect(embedded_redis.url)
    pool = client.connection_pool
    try:
        held = [pool.get_connection() for _ in range(150)]
        assert len(set(map(id, held))) == 150
        for each in held:
            pool.release(each)
    finally:
        client.close()
