fn main() {
    let (mut tx, mut rx) = ringmail::spsc::channel(1).unwrap();
    tx.send(String::from("a")).unwrap();
    let first = rx.peek().unwrap();
    drop(rx); //~ E0505
    println!("{first}");
}
