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
      escape: "none" };
    return names[key] || null;
  };

  window.addEventListener("keydown", (event) => {
    if (typing(event.target) || event.repeat || document.querySelector(".v-overlay--active.v-dialog")) return;
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
