// A script of ioredis over every family of commands: `node ioredis.mjs URL`. Every answer is
// asserted, so it passes against Redis itself too.

import assert from "node:assert/strict";
import Redis from "ioredis";

const url = process.argv[2];
const client = () => new Redis(url, { db: 8 });
const r = client();

const families = {
  async strings() {
    assert.equal(await r.set("greeting", "hello", "EX", 100), "OK");
    assert.equal(await r.get("greeting"), "hello");
    assert.equal(await r.set("greeting", "no", "NX"), null);
    assert.equal(await r.incrby("n", 5), 5);
    assert.deepEqual(await r.mget("greeting", "none"), ["hello", null]);
    assert.deepEqual(await r.getBuffer("greeting"), Buffer.from("hello"));
    await assert.rejects(r.incr("greeting"), /not an integer/);
  },
  async keys() {
    await r.mset("one", 1, "two", 2);
    assert.equal(await r.exists("one", "two", "none"), 2);
    assert.equal(await r.pexpire("one", 100000), 1);
    assert.equal(await r.rename("one", "uno"), "OK");
    const found = [];
    for await (const keys of r.scanStream({ match: "*o*", count: 1 })) found.push(...keys);
    assert.deepEqual([...new Set(found)].sort(), ["two", "uno"]);
    assert.equal(await r.del("uno", "two"), 2);
  },
  async hashes() {
    assert.equal(await r.hset("h", { name: "ada", born: 1815 }), 2);
    assert.deepEqual(await r.hgetall("h"), { name: "ada", born: "1815" });
    assert.equal(await r.hincrby("h", "born", 1), 1816);
    assert.equal(await r.hdel("h", "born", "none"), 1);
  },
  async lists() {
    assert.equal(await r.rpush("l", "a", "b", "c"), 3);
    assert.deepEqual(await r.lrange("l", 0, -1), ["a", "b", "c"]);
    assert.equal(await r.lmove("l", "m", "LEFT", "RIGHT"), "a");
    assert.deepEqual(await r.blpop("none", "l", 1), ["l", "b"]);
  },
  async sets() {
    assert.equal(await r.sadd("s", "a", "b"), 2);
    assert.equal(await r.sadd("t", "b", "c"), 2);
    assert.deepEqual(await r.sinter("s", "t"), ["b"]);
    assert.deepEqual((await r.sunion("s", "t")).sort(), ["a", "b", "c"]);
    assert.deepEqual(await r.smismember("s", "a", "z"), [1, 0]);
  },
  async sortedSets() {
    assert.equal(await r.zadd("z", 3, "ada", 5, "grace", 1, "alan"), 3);
    assert.equal(await r.zincrby("z", 1.5, "ada"), "4.5");
    assert.deepEqual(await r.zrange("z", 0, 0, "REV", "WITHSCORES"), ["grace", "5"]);
    assert.equal(await r.zrank("z", "grace"), 2);
    assert.deepEqual(await r.bzpopmin("z", 1), ["z", "alan", "1"]);
  },
  async streams() {
    assert.equal(await r.xadd("x", "1-1", "item", "bread"), "1-1");
    assert.equal(await r.xgroup("CREATE", "x", "g", "0"), "OK");
    const got = await r.xreadgroup("GROUP", "g", "w", "COUNT", 1, "STREAMS", "x", ">");
    assert.deepEqual(got, [["x", [["1-1", ["item", "bread"]]]]]);
    assert.equal(await r.xack("x", "g", "1-1"), 1);
  },
  async bitmaps() {
    assert.equal(await r.setbit("bits", 7, 1), 0);
    assert.equal(await r.bitcount("bits"), 1);
    assert.deepEqual(await r.bitfield("bits", "GET", "u8", 0), [1]);
  },
  async transactions() {
    const answers = await r.multi().set("a", 1).incr("a").lpush("a", "x").exec();
    assert.deepEqual(answers[1], [null, 2]);
    assert.match(answers[2][0].message, /WRONGTYPE/);
    const piped = await r.pipeline().get("a").get("none").exec();
    assert.deepEqual(piped, [[null, "2"], [null, null]]);
    const other = client();
    await other.watch("a");
    await r.set("a", 10);
    assert.equal(await other.multi().set("a", 11).exec(), null);
    other.disconnect();
  },
  async messages() {
    const listener = client();
    const got = [];
    const both = new Promise((done) => {
      const note = (...message) => got.push(message) === 2 && done();
      listener.on("message", note);
      listener.on("pmessage", note);
    });
    await listener.subscribe("news");
    await listener.psubscribe("wea*");
    assert.equal(await r.publish("news", "rain"), 1);
    assert.equal(await r.publish("weather", "sun"), 1);
    await both;
    assert.deepEqual(got, [["news", "rain"], ["wea*", "weather", "sun"]]);
    listener.disconnect();
  },
  async waiting() {
    const other = client();
    const job = other.brpop("queue", 5);
    setTimeout(() => r.lpush("queue", "job"), 100);
    assert.deepEqual(await job, ["queue", "job"]);
    other.disconnect();
  },
  async administration() {
    assert.equal(await r.ping(), "PONG");
    assert.equal(await r.client("SETNAME", "script"), "OK");
    assert.match(await r.client("LIST"), /name=script/);
    assert.match(await r.info("server"), /redis_version/);
    assert.deepEqual(await r.config("GET", "maxmemory"), ["maxmemory", "0"]);
  },
};

for (const family of Object.values(families)) {
  await r.flushdb();
  await family();
}
await r.quit();
console.log(`ioredis: ${Object.keys(families).length} families`);
