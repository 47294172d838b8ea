export {
  createGrpcTransport,
  type GrpcTransport,
  type ListeningGrpcTransport,
  openGrpcTransport,
} from './grpc-transport.js';
export {
  defaultGrpcTransportLimits,
  type GrpcListenerOptions,
  type GrpcRefusal,
  type GrpcSelf,
  type GrpcTransportLimits,
  type GrpcTransportListener,
  type GrpcTransportOptions,
  type KeptConnections,
  type MemberBook,
  type RefusalEvent,
} from './grpc-transport-options.js';
