// Keys that a clinician expects, told to the server by name; fields keep their keys for typing.
(() => {
  const typing = (element) =>
    !!element && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName)
      && !/^(range|checkbox|radio|button)$/.test(element.type));

  const nameOf = (event) => {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key === "z") return event.shiftKey ? "redo" : "undo";
      return key === "y" ? "redo" : null;
    }
    if (event.altKey) return null;
    const names = { i: "include", e: "exclude", p: "paint", r: "erase", u: "overlay", n: "next_place", 0: "start_empty",
      escape: "none", m: "maximise", pageup: "slice_up", pagedown: "slice_down" };
    return names[key] || null;
  };

  window.addEventListener("keydown", (event) => {
    const repeats = /^Page/.test(event.key);
    if (typing(event.target) || (event.repeat && !repeats)) return;
    if (repeats && event.target.closest?.("[role=slider]")) return;
    if (document.querySelector(".v-overlay--active.v-dialog, .elsewhere")) return;
    const name = nameOf(event);
    if (!name || !window.trame) return;
    event.preventDefault();
    window.trame.trigger("key", [name]);
  });

  // The secret has done its work (it became a cookie): keep it out of the history and of screenshots.
  const address = new URL(window.location.href);
  if (address.searchParams.has("token")) {
    address.searchParams.delete("token");
    window.history.replaceState(null, "", address.pathname + address.search);
  }
})();

// One page at a time: the newest tab is in use, an older one says so and waits.
(() => {
  const mine = Array.from(crypto.getRandomValues(new Uint32Array(2)), (number) => number.toString(36)).join("");
  const take = () => window.trame.trigger("tab", [mine]);

  const cover = () => {
    if (document.querySelector(".elsewhere")) return;
    const elsewhere = document.createElement("div");
    elsewhere.className = "elsewhere";
    elsewhere.innerHTML = '<div role="alertdialog"><h1>In use in another tab</h1>One page at a time shows the panel,'
      + ' so that no click is lost between two.<br><button type="button" id="use-here">Use it here</button></div>';
    elsewhere.querySelector("button").addEventListener("click", take);
    document.body.append(elsewhere);
  };

  const follow = (tab) => {
    if (tab && tab !== mine) cover();
    else document.querySelector(".elsewhere")?.remove();
  };

  const begin = () => {
    if (!window.trame?.state) return void setTimeout(begin, 50);
    take();
    let taken = false;  // what the server knew before is about a page that is gone
    window.trame.state.watch(["tab"], (tab) => {
      taken = taken || tab === mine;
      if (taken) follow(tab);
    });
  };
  begin();
})();

// Files and folders that are dropped: announced, then sent one by one; where they are let go says what they are for.
(() => {
  let depth = 0;

  const holdsFiles = (event) => Array.from(event.dataTransfer?.types || []).includes("Files");
  const zoneOf = (event) => event.target.closest?.("[data-where]");
  const mark = (zone) => document.querySelectorAll(".drop-zone").forEach(
    (one) => one.classList.toggle("drop-zone-over", one === zone));
  const end = () => {
    depth = 0;
    mark(null);
    document.body.classList.remove("dragging");
  };

  const children = (folder) => new Promise((done, fail) => {
    const reader = folder.createReader(), found = [];
    const more = () => reader.readEntries((some) => {
      if (!some.length) return done(found);
      found.push(...some);
      more();
    }, fail);
    more();
  });

  const filesOf = async (entry) => {
    if (entry.isFile) return [[entry.fullPath, await new Promise((done, fail) => entry.file(done, fail))]];
    return (await Promise.all((await children(entry)).map(filesOf))).flat();
  };

  const dropped = async (transfer) => {
    const items = Array.from(transfer.items).filter((item) => item.kind === "file");
    const taken = items.map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]);  // gone after the first wait
    return (await Promise.all(taken.map(([entry, file]) => entry ? filesOf(entry) : [[file.name, file]]))).flat();
  };

  const send = async (transfer, where) => {
    let key = "";
    try {
      const files = (await dropped(transfer)).filter(([path]) => !/\/\.[^/]*$/.test(path));
      key = await window.trame.trigger("upload_begin", [files.map(([name, file]) => ({ name, size: file.size })), where]);
      if (!key) return;
      for (let number = 0; number < files.length; number++) {
        const answer = await fetch(`/upload/${key}/${number}`, { method: "PUT", body: files[number][1] });
        if (!answer.ok) throw new Error(await answer.text());
      }
      await window.trame.trigger("upload_finish", [key, where]);
    } catch (error) {
      if (key) window.trame.trigger("upload_fail", [key, error.message]);
    }
  };

  window.addEventListener("dragenter", (event) => {
    if (!holdsFiles(event) || document.querySelector(".elsewhere")) return;
    event.preventDefault();
    depth++;
    document.body.classList.add("dragging");
  });
  window.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    mark(zoneOf(event));
  });
  window.addEventListener("dragleave", () => --depth <= 0 && end());
  window.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    end();
    if (!document.querySelector(".elsewhere")) send(event.dataTransfer, zoneOf(event)?.dataset.where || "scan");
  });
})();
