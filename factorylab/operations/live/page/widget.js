// The live page in the output of a notebook's cell: the page itself, in a frame of its own that can reach nothing of the
// notebook's. It gets its moments from the kernel, one JSON text or several in each message.

const KEPT = 1800;

export default () => {
  const kept = [];
  const frames = new Set();
  const send = (frame, moments) => frame.contentWindow?.postMessage(moments, "*");
  return {
    initialize({ model }) {
      model.on("msg:custom", (moments) => {
        kept.push(...moments);
        kept.splice(0, kept.length - KEPT);
        frames.forEach((frame) => send(frame, moments));
      });
    },
    render({ model, el }) {
      const frame = document.createElement("iframe");
      frame.title = "The lab, live";
      frame.sandbox = "allow-scripts";
      frame.style.cssText = "width: 100%; height: 44rem; border: 0; display: block;";
      frame.onload = () => {
        send(frame, kept);
        frames.add(frame);
      };
      frame.srcdoc = model.get("page");
      el.append(frame);
      return () => frames.delete(frame);
    },
  };
};
