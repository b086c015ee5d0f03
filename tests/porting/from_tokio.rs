//! In the style of tokio's channels: a task owns a map; others ask it by messages that carry the way back.

use std::collections::HashMap;
use tokio::runtime;

/// As it is written with `tokio::sync`.
mod original {
    use std::collections::HashMap;
    use tokio::sync::{mpsc, oneshot};

    pub(super) enum Request {
        Add { key: String, amount: u64 },
        Get { key: String, reply: oneshot::Sender<Option<u64>> },
    }

    pub(super) async fn store(mut requests: mpsc::Receiver<Request>) -> HashMap<String, u64> {
        let mut map = HashMap::new();
        while let Some(request) = requests.recv().await {
            match request {
                Request::Add { key, amount } => *map.entry(key).or_default() += amount,
                Request::Get { key, reply } => {
                    let _ = reply.send(map.get(&key).copied());
                }
            }
        }
        map
    }

    pub(super) async fn client(requests: mpsc::Sender<Request>, key: String) -> Option<u64> {
        for amount in 1..=10 {
            requests.send(Request::Add { key: key.clone(), amount }).await.ok()?;
        }
        let (reply, answer) = oneshot::channel();
        requests.send(Request::Get { key, reply }).await.ok()?;
        answer.await.ok()?
    }

    pub(super) async fn main() -> (Vec<Option<u64>>, HashMap<String, u64>) {
        let (tx, rx) = mpsc::channel(8);
        let store = tokio::spawn(store(rx));
        let clients: Vec<_> = (0..3).map(|n| tokio::spawn(client(tx.clone(), format!("client {n}")))).collect();
        drop(tx);
        let mut answers = Vec::new();
        for client in clients {
            answers.push(client.await.unwrap());
        }
        (answers, store.await.unwrap())
    }
}

/// The port.
mod port {
    use ringmail::{BuildError, mpsc};
    use std::collections::HashMap;
    use tokio::sync::oneshot;

    pub(super) enum Request {
        Add { key: String, amount: u64 },
        Get { key: String, reply: oneshot::Sender<Option<u64>> },
    }

    pub(super) async fn store(mut requests: mpsc::Receiver<Request>) -> HashMap<String, u64> {
        let mut map = HashMap::new();
        while let Ok(request) = requests.recv_async().await {
            match request {
                Request::Add { key, amount } => *map.entry(key).or_default() += amount,
                Request::Get { key, reply } => {
                    let _ = reply.send(map.get(&key).copied());
                }
            }
        }
        map
    }

    pub(super) async fn client(mut requests: mpsc::Sender<Request>, key: String) -> Option<u64> {
        for amount in 1..=10 {
            requests.send_async(Request::Add { key: key.clone(), amount }).await.ok()?;
        }
        let (reply, answer) = oneshot::channel();
        requests.send_async(Request::Get { key, reply }).await.ok()?;
        answer.await.ok()?
    }

    pub(super) async fn main() -> Result<(Vec<Option<u64>>, HashMap<String, u64>), BuildError> {
        let (tx, rx) = mpsc::channel(8)?;
        let store = tokio::spawn(store(rx));
        let clients: Vec<_> = (0..3).map(|n| tokio::spawn(client(tx.clone(), format!("client {n}")))).collect();
        drop(tx);
        let mut answers = Vec::new();
        for client in clients {
            answers.push(client.await.unwrap());
        }
        Ok((answers, store.await.unwrap()))
    }
}

#[test]
fn a_task_that_owns_a_map() {
    let expected: HashMap<_, _> = (0..3).map(|n| (format!("client {n}"), 55)).collect();
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let original = runtime.block_on(original::main());
    let port = runtime.block_on(port::main()).unwrap();
    assert_eq!(original, (vec![Some(55); 3], expected));
    assert_eq!(port, original);
}
