//! Leaderboard: players in the order of their scores.
//!
//! Redis: `ZADD`, `ZINCRBY`, `ZREVRANGE`, `ZREVRANK`, `ZCOUNT`, `ZADD GT`,
//! `ZUNIONSTORE`. Players with equal scores are in the order of their names.
//!
//! Run: `cargo run --example leaderboard`

use larder::{AddRule, Aggregate, Result, Store, Value};

fn main() -> Result<()> {
    let store = Store::new();
    let monday = store.sorted_set("board:monday");
    let players = [("ada", 120.0), ("grace", 150.0), ("edsger", 90.0), ("barbara", 150.0)];
    monday.add_many(&players)?;
    monday.increment("ada", 50.0)?;
    show("Monday, the first three", &monday.top(3)?);
    assert_eq!(monday.top(1)?, [("ada".into(), 170.0)]);

    let (rank, score) = monday.rank_descending_and_score("edsger")?.expect("he plays");
    let better = monday.count(score + 1.0..)?;
    println!("edsger is number {} with {score}; {better} are better\n", rank + 1);
    assert_eq!((rank, better), (3, 3));

    // One step: nobody is overtaken between the look at the rank and the look around it.
    println!("around barbara:");
    for (rank, name, score) in monday.around("barbara", 1, 1)? {
        println!("  {:>2}. {:<10} {score:>5}", rank + 1, String::from_utf8_lossy(&name));
    }
    println!();

    // A personal best only ever rises, whatever order the results come in.
    let best = store.sorted_set("best");
    for result in [10.0, 30.0, 20.0] {
        best.add_with("ada", result, AddRule::IfGreater)?;
    }
    assert_eq!(best.score("ada")?, Some(30.0));

    store.sorted_set("board:tuesday").add_many(&[("edsger", 200.0), ("tony", 10.0)])?;
    let days = ["board:monday", "board:tuesday"];
    store.sorted_sets().union(&days).aggregate(Aggregate::Sum).store_into("board:week")?;
    let week = store.sorted_set("board:week").top(10)?;
    show("the week", &week);
    assert_eq!(week[0], ("edsger".into(), 290.0));
    assert_eq!(week.len(), 5);
    Ok(())
}

fn show(title: &str, players: &[(Value, f64)]) {
    println!("{title}:");
    for (name, score) in players {
        println!("  {:<10} {score:>5}", String::from_utf8_lossy(name));
    }
    println!();
}
