"""A script of redis-py over every family of commands: `redis_py.py URL`.

Every answer is asserted, in RESP2 and in RESP3, so it passes against Redis itself too.
"""

import sys
import threading
import time

import redis

URL = sys.argv[1]


def client(protocol):
    return redis.Redis.from_url(URL, decode_responses=True, protocol=protocol, db=9)


def strings(r):
    assert r.set("greeting", "hello") is True
    assert r.get("greeting") == "hello"
    assert r.set("greeting", "again", nx=True) is None
    assert r.set("greeting", "again", xx=True, get=True) == "hello"
    assert r.append("greeting", "!") == 6
    assert r.getrange("greeting", 0, 4) == "again"
    assert r.setrange("greeting", 5, "?") == 6
    assert r.incrby("n", 5) == 5
    assert r.incrbyfloat("f", 0.5) == 0.5
    assert r.mset({"a": "1", "b": "2"}) is True
    assert r.mget("a", "b", "none") == ["1", "2", None]
    assert r.getdel("a") == "1"
    assert r.getex("b", ex=100) == "2"
    assert 0 < r.ttl("b") <= 100
    try:
        r.incr("greeting")
        raise AssertionError("no number")
    except redis.ResponseError as error:
        assert "not an integer" in str(error)


def keys(r):
    r.mset({"one": "1", "two": "2"})
    assert r.exists("one", "two", "none") == 2
    assert r.type("one") == "string"
    assert r.expire("one", 100) is True
    assert r.persist("one") is True
    assert r.rename("one", "uno") is True
    assert r.copy("uno", "dos") is True
    assert sorted(r.keys("?*o*")) == ["dos", "two", "uno"]
    assert sorted(r.scan_iter(match="*o*", count=1)) == ["dos", "two", "uno"]
    assert r.dbsize() == 3
    assert r.delete("uno") == 1 and r.unlink("two", "none") == 1
    assert r.object("encoding", "dos") == "int"
    assert r.pexpire("dos", 20) is True
    time.sleep(0.05)
    assert r.get("dos") is None


def hashes(r):
    assert r.hset("h", mapping={"name": "ada", "born": 1815}) == 2
    assert r.hgetall("h") == {"name": "ada", "born": "1815"}
    assert r.hmget("h", "name", "none") == ["ada", None]
    assert r.hincrby("h", "born", 1) == 1816
    assert sorted(r.hkeys("h")) == ["born", "name"]
    assert dict(r.hscan_iter("h")) == {"name": "ada", "born": "1816"}
    assert r.hdel("h", "born") == 1 and r.hlen("h") == 1


def lists(r):
    assert r.rpush("l", "a", "b", "c") == 3
    assert r.lrange("l", 0, -1) == ["a", "b", "c"]
    assert r.lpos("l", "b") == 1
    assert r.linsert("l", "before", "b", "x") == 4
    assert r.lmove("l", "m", "LEFT", "RIGHT") == "a"
    assert r.lpop("l", 2) == ["x", "b"]
    assert r.blpop(["none", "l"], timeout=1) == (["l", "c"] if resp3(r) else ("l", "c"))
    assert r.sort("m", alpha=True) == ["a"]


def sets(r):
    assert r.sadd("s", "a", "b", "c") == 3
    assert r.sadd("t", "b", "c", "d") == 3
    assert r.smembers("s") == {"a", "b", "c"}
    assert r.smismember("s", ["a", "z"]) == [1, 0]
    assert r.sinter("s", "t") == {"b", "c"}
    assert r.sunionstore("u", "s", "t") == 4
    assert r.sdiff("s", "t") == {"a"}
    assert r.smove("s", "t", "a") == 1
    assert r.spop("s") in {"b", "c"} and r.scard("s") == 1


def sorted_sets(r):
    assert r.zadd("z", {"ada": 3, "grace": 5, "alan": 1}) == 3
    assert r.zincrby("z", 1.5, "ada") == 4.5
    assert r.zrevrange("z", 0, 1) == ["grace", "ada"]
    assert r.zrangebyscore("z", "(1", "+inf", start=0, num=1) == ["ada"]
    assert r.zrank("z", "grace") == 2 and r.zscore("z", "alan") == 1.0
    assert r.zcount("z", 2, 9) == 2
    assert r.zunion(["z"], aggregate="MAX") == ["alan", "ada", "grace"]
    (lowest,) = r.zpopmin("z") if not resp3(r) else [r.zpopmin("z")]
    assert list(lowest) == ["alan", 1.0]
    assert r.bzpopmax(["z"], timeout=1)[1] == "grace"


def streams(r):
    one = r.xadd("x", {"item": "bread"}, id="1-1")
    r.xadd("x", {"item": "milk"}, id="2-1")
    assert one == "1-1" and r.xlen("x") == 2
    assert r.xrange("x", "-", "+", count=1) == [("1-1", {"item": "bread"})]
    assert r.xgroup_create("x", "g", id="0") is True
    got = r.xreadgroup("g", "w", {"x": ">"}, count=1)
    entries = got["x"][0] if resp3(r) else got[0][1]
    assert entries == [("1-1", {"item": "bread"})]
    assert r.xpending("x", "g")["pending"] == 1
    assert r.xautoclaim("x", "g", "v", 0)[1] == [("1-1", {"item": "bread"})]
    assert r.xack("x", "g", "1-1") == 1
    assert r.xtrim("x", maxlen=1, approximate=False) == 1
    assert r.xinfo_stream("x")["length"] == 1


def bitmaps(r):
    assert r.setbit("bits", 7, 1) == 0
    assert r.getbit("bits", 7) == 1 and r.bitcount("bits") == 1
    assert r.bitpos("bits", 1) == 7
    assert r.bitfield("bits").set("u8", 8, 255).get("u8", 8).execute() == [0, 255]


def transactions(r):
    with r.pipeline() as pipe:
        pipe.set("a", 1).incr("a").lpush("a", "x").get("a")
        answers = pipe.execute(raise_on_error=False)
    assert answers[:2] == [True, 2] and isinstance(answers[2], redis.ResponseError)
    assert answers[3] == "2"
    with r.pipeline() as pipe:
        pipe.watch("a")
        r.set("a", 10)
        pipe.multi()
        pipe.set("a", 11)
        try:
            pipe.execute()
            raise AssertionError("it was changed")
        except redis.WatchError:
            pass
    assert r.transaction(lambda pipe: (pipe.multi(), pipe.incr("a")), "a") == [11]


def messages(r):
    listener = r.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("news")
    listener.psubscribe("wea*")
    listener.get_message(timeout=1)
    listener.get_message(timeout=1)
    assert r.publish("news", "rain") == 1
    assert r.publish("weather", "sun") == 1
    got = []
    while len(got) < 2:
        message = listener.get_message(timeout=5)
        if message is not None:
            got.append((message["type"], message["channel"], message["data"]))
    assert got == [("message", "news", "rain"), ("pmessage", "weather", "sun")]
    listener.close()


def waiting(r):
    threading.Timer(0.1, lambda: client(2).lpush("queue", "job")).start()
    assert list(r.brpop(["queue"], timeout=5)) == ["queue", "job"]


def administration(r):
    assert r.ping() is True and r.echo("hi") == "hi"
    assert r.client_setname("script") is True and r.client_getname() == "script"
    assert any(one["name"] == "script" for one in r.client_list())
    assert r.config_get("maxmemory") == {"maxmemory": "0"}
    assert "keyspace" in {name.lower() for name in ["keyspace"]} and r.info("server")
    assert r.command_count() > 200
    assert len(r.time()) == 2


def resp3(r):
    return r.connection_pool.connection_kwargs.get("protocol") == 3


FAMILIES = [
    strings, keys, hashes, lists, sets, sorted_sets, streams, bitmaps, transactions, messages,
    waiting, administration,
]

for protocol in (2, 3):
    for family in FAMILIES:
        connection = client(protocol)
        connection.flushdb()
        family(connection)
        connection.close()
print(f"redis-py {redis.__version__}: {len(FAMILIES)} families, RESP2 and RESP3")
