export { type ConnectOptions, connect } from './connect.js';
export { type GrpcTransportOptions, grpcTransport } from './grpc-transport.js';
