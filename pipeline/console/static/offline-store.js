// What waits on this phone to be sent, in the browser's database: for pages and for the service
// worker. An item is one step of one ticket: owner, ticket, action, label, name, command_id,
// version, after (the command before it on this ticket, until that is done), note, photo, done_ms;
// state "waiting", or "changed", "refused", "held" with what was said.
"use strict";

const Waiting = (() => {
  const opened = () => new Promise((done, fail) => {
    const asked = indexedDB.open("gridwatch", 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("waiting", { keyPath: "seq", autoIncrement: true });
      asked.result.createObjectStore("notes");
    };
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
  });

  // One transaction: all of it, or nothing.
  async function within(store, mode, work) {
    const db = await opened();
    try {
      return await new Promise((done, fail) => {
        const moves = db.transaction(store, mode, { durability: "strict" });
        let found;
        moves.oncomplete = () => done(found);
        moves.onabort = moves.onerror = () => fail(moves.error);
        work(moves.objectStore(store), (result) => { found = result; });
      });
    } finally {
      db.close();
    }
  }

  const everything = () => within("waiting", "readonly", (store, give) => {
    store.getAll().onsuccess = (event) => give(event.target.result);
  });

  const changed = (change) => within("waiting", "readwrite", (store) => {
    store.getAll().onsuccess = (event) => {
      for (const item of event.target.result) {
        const after = change(item);
        if (after === null) store.delete(item.seq);
        else if (after !== item) store.put(after);
      }
    };
  });

  const hangs = (item, items) => {
    const ids = new Set([item.command_id]);
    return items.filter((one) => ids.has(one.after) && ids.add(one.command_id));
  };

  return {
    everything,
    of: async (owner) => (await everything()).filter((one) => one.owner === owner),
    add: (item) => within("waiting", "readwrite", (store) => { store.add(item); }),
    remove: (seq) => within("waiting", "readwrite", (store) => { store.delete(seq); }),
    removeOf: (owner) => changed((one) => (one.owner === owner ? null : one)),
    say: (seq, said) => changed((one) => (one.seq === seq ? { ...one, said } : one)),
    // It was taken: what came after it on this ticket goes on from the version that it made.
    done: (item, version) => changed((one) => {
      if (one.seq === item.seq) return null;
      return one.after === item.command_id ? { ...one, after: null, version: String(version) } : one;
    }),
    // It was not taken: nor can be what came after it, until somebody has looked.
    stopped: async (item, state, said) => {
      const held = new Set(hangs(item, await everything()).map((one) => one.seq));
      await changed((one) => {
        if (one.seq === item.seq) return { ...one, state, said };
        return held.has(one.seq) ? { ...one, state: "held", said: "" } : one;
      });
    },
    note: (name, value) => within("notes", "readwrite", (store) => { store.put(value, name); }),
    noted: (name) => within("notes", "readonly", (store, give) => {
      store.get(name).onsuccess = (event) => give(event.target.result);
    }),
  };
})();
