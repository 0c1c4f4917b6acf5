'use strict';
// gRPC's own statistics, which nobody on a device asks for: what keeps them keeps nothing.

class Nothing {
  addTrace() {}
  addCallStarted() {}
  addCallSucceeded() {}
  addCallFailed() {}
  refChild() {}
  unrefChild() {}
  getChildLists() {
    return { channels: [], subchannels: [], sockets: [] };
  }
}

const register = (name) => ({ id: 0, name });

exports.ChannelzTrace = Nothing;
exports.ChannelzTraceStub = Nothing;
exports.ChannelzCallTracker = Nothing;
exports.ChannelzCallTrackerStub = Nothing;
exports.ChannelzChildrenTracker = Nothing;
exports.ChannelzChildrenTrackerStub = Nothing;
exports.registerChannelzChannel = register;
exports.registerChannelzSubchannel = register;
exports.registerChannelzSocket = register;
exports.unregisterChannelzRef = () => {};
exports.setup = () => {};
